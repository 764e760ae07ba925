"""Flask's request, response, session and static files, as this application uses them."""
