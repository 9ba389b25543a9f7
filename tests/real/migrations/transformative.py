"""Call the composer what the sleeves call them, and spell countries out."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = {
    "version": "2",
    "description": "Composer becomes WrittenBy; countries are spelled out",
    "risk": "medium",
    "allow": ["change_data:Customer.Country"],
}


# Where a column is written anew to be renamed, it has to be written as it was: Chinook's text is national there.
TEXT = sa.String(220).with_variant(mysql.NVARCHAR(220), "mysql", "mariadb")


def up(op):
    op.alter_column("Track", "Composer", new_column_name="WrittenBy", existing_type=TEXT)
    spell(op, "USA", "United States")


def down(op):
    spell(op, "United States", "USA")
    op.alter_column("Track", "WrittenBy", new_column_name="Composer", existing_type=TEXT)


def spell(op, old, new):
    customer = sa.table("Customer", sa.column("Country", sa.String))
    op.execute(customer.update().where(customer.c.Country == old).values(Country=new))
