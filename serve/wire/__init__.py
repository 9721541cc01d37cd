"""The services: messages to queries, answers to messages, errors to statuses."""
