"""Panels for notebooks (ipywidgets): explore migrations, put load on a database, compare two states."""
