"""Who loads and unloads models where a test puts a server together by itself: nobody."""


class Unchanged:
    """What is served stays, whatever is not there that a call asks for."""

    async def load(self, name: str) -> None:
        """No test asks for that."""
        raise NotImplementedError(name)

    unload = load

    async def demand(self, name: str, version: str) -> None:
        """Leaves it at that."""
