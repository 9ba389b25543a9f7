"""Call the composer what the sleeves call them, and spell countries out."""

import sqlalchemy as sa

metadata = {
    "version": "2",
    "description": "Composer becomes WrittenBy; countries are spelled out",
    "risk": "medium",
    "allow": ["change_data:Customer.Country"],
}


def up(op):
    op.alter_column("Track", "Composer", new_column_name="WrittenBy", existing_type=sa.String(220))
    spell(op, "USA", "United States")


def down(op):
    spell(op, "United States", "USA")
    op.alter_column("Track", "WrittenBy", new_column_name="Composer", existing_type=sa.String(220))


def spell(op, old, new):
    customer = sa.table("Customer", sa.column("Country", sa.String))
    op.execute(customer.update().where(customer.c.Country == old).values(Country=new))
