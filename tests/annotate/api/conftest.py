"""A scene for the API's tests, and programs of its people. What needs the models is imported once
Django is set up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.annotate.api.programs import Program, Scene
    from tests.factories import Cast


@pytest.fixture
def scene(cast: Cast, tmp_path: Path, settings: Any) -> Scene:
    from tests.annotate.api.programs import make_scene

    settings.ARTIFACTS_URI = (tmp_path / "artifacts").as_uri()
    return make_scene(cast, tmp_path)


@pytest.fixture
def researcher(scene: Scene) -> Program:
    from tests.annotate.api.programs import program

    return program(scene.cast.researcher, scene.cast.project)


@pytest.fixture
def lead(scene: Scene) -> Program:
    from tests.annotate.api.programs import program

    return program(scene.cast.lead, scene.cast.project)
