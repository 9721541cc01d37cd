"""What runs in a rival's environment: each the server that its documentation shows, around one model.

Nothing else of Strop imports these but ``order``, which needs the standard library alone.
"""
