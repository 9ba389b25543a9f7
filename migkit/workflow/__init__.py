"""The composers: rehearse, validate, dry run; the only room that puts the others together."""
