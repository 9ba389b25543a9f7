"""Add user_profiles table."""

import sqlalchemy as sa

metadata = {
    "version": "001",
    "description": "Add user_profiles table",
    "author": "dev-team",
    "estimated_duration": "5s",
    "risk": "low",
}


def up(op):
    op.create_table(
        "user_profiles",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("bio", sa.String(500)),
        sa.Column("avatar_url", sa.String(255)),
        sa.Column("location", sa.String(100)),
        sa.Column("created_at", sa.DateTime, server_default=sa.func.now()),
        sa.Column("updated_at", sa.DateTime, server_default=sa.func.now()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="user_profiles_user_fkey", ondelete="CASCADE"),
    )
    op.create_index("user_profiles_user_idx", "user_profiles", ["user_id"])


def down(op):
    op.drop_table("user_profiles")
