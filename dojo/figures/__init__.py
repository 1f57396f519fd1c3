"""All that is drawn: plots, pictures of lessons, attention maps, the report page."""
