"""Let customers leave notes, and give them points."""

import sqlalchemy as sa

metadata = {"version": "1", "description": "Notes and points for customers", "risk": "low"}


def up(op):
    op.create_table(
        "CustomerNote",
        sa.Column("NoteId", sa.Integer, primary_key=True),
        sa.Column("CustomerId", sa.Integer, sa.ForeignKey("Customer.CustomerId"), nullable=False, index=True),
        sa.Column("Note", sa.String(500), nullable=False),
    )
    op.add_column("Customer", sa.Column("Points", sa.Integer, nullable=True))
    op.create_index("IX_Customer_Country", "Customer", ["Country"])


def down(op):
    op.drop_index("IX_Customer_Country", table_name="Customer")
    op.drop_column("Customer", "Points")
    op.drop_table("CustomerNote")
