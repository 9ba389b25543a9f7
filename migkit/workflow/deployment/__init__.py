"""Deploys: the main path on the real database, with a backup, a read-only window and a way back around it."""
