"""What operators, scripts and Home Assistant see of an instance, and steer it with."""
