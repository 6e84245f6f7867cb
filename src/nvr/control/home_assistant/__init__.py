"""Home Assistant over its MQTT discovery: each camera is a device with sensors, switches and, if wanted, a picture."""
