"""The control plane: commands to running instances, what they answer, and who lives.

An instance has an `InstanceConnection`, over which its `ControlAgent` answers and its status is told. Others use
`ControlClient` to command and `ProcessorRegistry` to know who is there.
"""
