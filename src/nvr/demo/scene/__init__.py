"""Synthetic scenes: pure functions of their settings and the frame number, with the truth of every frame."""

from nvr.demo.scene.scene import Scene, SceneObject, SceneSettings

__all__ = ["Scene", "SceneObject", "SceneSettings"]
