"""Nobody has a fax any more, and playlists go."""

metadata = {"version": "3", "description": "Drop fax numbers and what is on playlists", "risk": "high"}


def up(op):
    op.drop_column("Customer", "Fax")
    op.drop_table("PlaylistTrack")
