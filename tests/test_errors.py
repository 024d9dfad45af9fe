import errno
import inspect

import pytest

from convoy import errors
from convoy.cli.system_errors import as_convoy


def test_every_error_has_the_exit_code_that_the_docstring_promises() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ConvoyError)
    ]
    promised = {
        line.split()[1]: int(line.split()[2])
        for line in (errors.__doc__ or "").splitlines()
        if line.startswith(("├──", "└──"))
    }
    assert promised == {kind.__name__: kind.exit_code for kind in kinds if kind is not errors.ConvoyError}


def test_an_error_is_one_block_with_what_where_and_how_to_fix() -> None:
    block = str(errors.DataError("bad", where="a.png", fix="replace it"))
    assert block == "error 3: bad\n  where: a.png\n  fix:   replace it"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, errors.ResourceError),
        (errno.EACCES, errors.ResourceError),
        (errno.ENOENT, errors.DataError),
    ],
)
def test_errors_of_the_system_are_explained(number: int, kind: type[errors.ConvoyError]) -> None:
    explained = as_convoy(OSError(number, "reason", "some/file"))
    assert isinstance(explained, kind)
    assert explained.where == "some/file"


def test_an_unknown_error_of_the_system_is_left_alone() -> None:
    assert as_convoy(OSError(errno.EBADF, "reason")) is None
