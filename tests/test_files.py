"""Files are whole or not there, also where a file system lacks what we ask of it."""

import errno
import os
import stat

import pytest

from adamlib import files


def refuse(monkeypatch, number, folders):
    """Let a sync of folders, or of files, fail with the error `number`."""
    sync = os.fsync

    def fsync(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode) == folders:
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM, errno.ENOSYS])
@pytest.mark.parametrize("folders", [True, False])
def test_what_cannot_be_synced_is_written_all_the_same(tmp_path, monkeypatch, number, folders):
    refuse(monkeypatch, number, folders)
    files.write(tmp_path / "record", "whole")
    assert (tmp_path / "record").read_text() == "whole"


@pytest.mark.skipif(os.name != "posix", reason="only there folders are synced")
def test_a_folder_that_may_not_be_read_is_no_error(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "open", denied)
    files.sync_folder(tmp_path)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_is_lost_is_an_error_with_its_path(tmp_path, monkeypatch, number):
    refuse(monkeypatch, number, folders=False)
    with pytest.raises(OSError, match=r"record'$"):
        files.write(tmp_path / "record", "whole")
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_home_folder_and_none_is_named(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert files.path_of("~/runs") == tmp_path / "runs"
    with pytest.raises(ValueError, match="needs a home folder, got '~nobody-of-this-name/runs'"):
        files.path_of("~nobody-of-this-name/runs")


def test_every_record_has_a_name_and_another_name_is_refused_with_the_list_of_them():
    names = {path.stem for path in files.RESULTS.glob("*.json")}
    assert {"convnet", "race_rules", "after_adam_claims"} <= names
    assert all(files.record(name) for name in names)
    with pytest.raises(ValueError, match=r"after_adam, .*workers, got '\.\./results/race'"):
        files.record("../results/race")
