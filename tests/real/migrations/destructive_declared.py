"""Nobody has a fax any more, and playlists go: said in so many words."""

metadata = {
    "version": "3",
    "description": "Drop fax numbers and what is on playlists",
    "risk": "high",
    "allow": ["drop_column:Customer.Fax", "drop_table:PlaylistTrack"],
}


def up(op):
    op.drop_column("Customer", "Fax")
    op.drop_table("PlaylistTrack")
