"""Three plugins that are wrong, each in its own way. None of them harms anything but itself."""

from victor_memory import hookimpl


class Misspelt:
    """Implements a hook that does not exist."""

    @hookimpl
    def victor_memory_register_provider(self):
        """Would have added a store, but the hook is called `..._providers`."""
        return []


class Raises:
    """Fails when it is asked for its stores."""

    @hookimpl
    def victor_memory_register_providers(self):
        """Divide by zero."""
        return 1 / 0


misspelt, raises = Misspelt(), Raises()
