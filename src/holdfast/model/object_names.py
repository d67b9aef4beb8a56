"""What the objects of a class are kept under, and what their ids are made with: the same in whichever script the class is.

Law: `namespace_of(script, unique_key(script, name)) == name`. A name of a class has no "-", and a `unique_key` has one.
"""


def unique_key(script: str, namespace: str) -> str:
    """What ids of objects are made with, and what the directory of their files is called. A namespace with a "-" is one already: that of a
    class which came from another script."""
    return namespace if "-" in namespace else f"{script}-{namespace}"


def namespace_of(script: str, key: str) -> str:
    """What the objects of this `unique_key` are kept under in `script`."""
    name = key.removeprefix(f"{script}-")
    return key if "-" in name else name
