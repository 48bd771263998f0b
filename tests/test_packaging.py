"""The wheel: what it holds, and that it works outside the checkout."""

import ast
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import speechbrain_apcodec
from tests.installed import ROOT, build_wheel, read_setup, run

pytestmark = pytest.mark.xdist_group("wheel")

PACKAGE = "speechbrain_apcodec"


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_module_and_yaml(wheel):
    names = names_in(wheel)
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / PACKAGE).rglob("*.py")
    }
    for folder in ("hparams", "recipes"):
        for path in (ROOT / folder).rglob("*"):
            relative = path.relative_to(ROOT)
            if path.suffix in {".yaml", ".py"} and "results" not in path.parts:
                expected.add(f"{PACKAGE}/{relative.as_posix()}")
    assert expected <= names
    assert any(name.startswith(f"{PACKAGE}/hparams/") for name in names)
    assert any(name.startswith(f"{PACKAGE}/recipes/") for name in names)


def test_wheel_holds_the_default_model_and_clips(wheel):
    names = names_in(wheel)
    model = Path(speechbrain_apcodec.DEFAULT_MODEL)
    folder = model.relative_to(ROOT).as_posix()
    for name in ("hyperparams.yaml", "codec.safetensors", "config.json"):
        assert f"{folder}/{name}" in names
    assert any(name.endswith(".flac") for name in names)


def test_wheel_holds_nothing_else(wheel):
    top = {name.split("/")[0] for name in names_in(wheel)}
    version = speechbrain_apcodec.__version__
    assert top == {PACKAGE, f"{PACKAGE}-{version}.dist-info"}
    assert not any("/tests/" in name for name in names_in(wheel))


def test_wheel_from_the_sdist_is_the_wheel_from_the_checkout(
    wheel, checkout, tmp_path
):
    run(
        [
            sys.executable,
            "-c",
            "import sys; from setuptools import build_meta;"
            "build_meta.build_sdist(sys.argv[1])",
            str(tmp_path),
        ],
        cwd=checkout,
    )
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert any(name.endswith("/tests/test_packaging.py") for name in names)
    again = build_wheel(sdist, tmp_path / "wheel")
    assert names_in(again) == names_in(wheel)


def test_import_outside_the_checkout_is_light(installed, tmp_path):
    output = run(
        [
            sys.executable,
            "-c",
            "import sys, speechbrain_apcodec as package;"
            "print(package.__file__, package.__version__);"
            "assert not {'torch', 'numpy'} & set(sys.modules)",
        ],
        cwd=tmp_path,
        target=installed,
    )
    assert str(installed) in output
    assert speechbrain_apcodec.__version__ in output


def apcodec(installed, *arguments, **options):
    """Run the installed console script."""
    script = installed / "bin" / "apcodec"
    return run(
        [sys.executable, str(script), *arguments], target=installed, **options
    )


def test_console_script_helps(installed, tmp_path):
    output = apcodec(installed, "--help", cwd=tmp_path)
    for command in ("encode", "decode", "demo", "train"):
        assert command in output


def test_demo_needs_no_checkout(installed, tmp_path):
    apcodec(installed, "demo", "out", cwd=tmp_path)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"original.wav", "decoded.wav", "spectrograms.png"} <= names


def test_installed_package_has_the_recipes(installed, tmp_path):
    for config in ("VCTK/48khz_6kbps", "LJSpeech/tts"):
        output = apcodec(installed, "train", config, cwd=tmp_path, code=2)
        yaml = installed / PACKAGE / f"hparams/{config.split('/')[1]}.yaml"
        assert f"{yaml}: '" in output
        assert "is a !PLACEHOLDER" in output


def test_includes_hold_in_the_installed_package(installed, tmp_path):
    output = run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path;"
            "from speechbrain_apcodec.utils.hparams import merge_hparams;"
            "paths = [p for f in ('hparams', 'recipes')"
            "         for p in Path(sys.argv[1], f).rglob('*.yaml')];"
            "[merge_hparams(path) for path in paths];"
            "print(len(paths), 'merged')",
            str(installed / PACKAGE),
        ],
        cwd=tmp_path,
        target=installed,
    )
    count = sum(
        "results" not in path.parts
        for folder in ("hparams", "recipes")
        for path in (ROOT / folder).rglob("*.yaml")
    )
    assert f"{count} merged" in output


def imports_of(path):
    """List the top-level names that a module imports, and where.

    An import inside a function is lazy: it may name an optional package.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        else:
            continue
        for name in names:
            yield name.split(".")[0], id(node) in lazy


# Where the name of a distribution is not the name that is imported.
DISTRIBUTIONS = {
    "ruamel": "ruamel-yaml",
    "visqol": "visqol-python",
    "yaml": "pyyaml",
}


def test_every_import_is_declared(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [
            n for n in archive.namelist() if n.endswith("dist-info/METADATA")
        ]
        metadata = archive.read(name).decode()
    required, optional = set(), set()
    for line in re.findall(r"^Requires-Dist: (.+)$", metadata, re.MULTILINE):
        distribution = re.match(r"[\w.-]+", line).group().lower()
        distribution = re.sub(r"[-_.]+", "-", distribution)
        (optional if "extra ==" in line else required).add(distribution)
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        for imported, is_lazy in imports_of(path):
            if imported in sys.stdlib_module_names or imported == PACKAGE:
                continue
            distribution = DISTRIBUTIONS.get(
                imported, imported.lower().replace("_", "-")
            )
            allowed = required | optional if is_lazy else required
            assert distribution in allowed, f"{path} imports {imported}"


def test_links_hold_on_a_package_index():
    arguments, names = read_setup()
    base = names["REPOSITORY"]
    texts = {
        base: arguments["long_description"],
        "": names["long_description"](""),
        "https://example.org/a/b": names["long_description"](
            "https://example.org/a/b"
        ),
    }
    for repository, text in texts.items():
        for image, target in re.findall(r"(!?)\[[^]]*\]\(([^)]+)\)", text):
            assert target.startswith("https://"), target
            folder = f"{repository}/{'raw' if image else 'blob'}/main/"
            if repository and target.startswith(repository):
                assert (ROOT / target.removeprefix(folder)).exists(), target
    urls = names["project_urls"]("https://example.org/a/b").values()
    assert all(url.startswith("https://") for url in urls)


def test_citation_and_changelog_name_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == speechbrain_apcodec.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE).group(1)
    assert newest == speechbrain_apcodec.__version__
