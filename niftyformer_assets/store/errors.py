"""The one exception that is meant for a person."""


class NiftyFormerError(Exception):
    """Something a person can mend: one line that says what was wrong, where, and what to do.

    The command line and the assets print it without a traceback. Anything else that escapes is a
    defect of this project and keeps its traceback.
    """
