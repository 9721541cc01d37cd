"""``strop watch``: a stream of texts labelled by served models, and an alert when bad news surges."""
