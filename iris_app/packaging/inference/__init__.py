"""The inference of a schema from a fitted classifier and the table that it was trained on."""
