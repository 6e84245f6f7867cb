"""Messages between processes over MQTT; the only package that imports paho."""

from nvr.bus.connection import MqttConnection

__all__ = ["MqttConnection"]
