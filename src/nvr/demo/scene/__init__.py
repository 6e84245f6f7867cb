"""Synthetic scenes: pure functions of their settings and the frame number, with the truth of every frame."""

from nvr.demo.scene.event import SceneEvent, SceneObject
from nvr.demo.scene.scene import Activity, Scene, SceneSettings

__all__ = ["Activity", "Scene", "SceneEvent", "SceneObject", "SceneSettings"]
