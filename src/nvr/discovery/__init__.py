"""Find cameras on the network and ask them for their streams: WS-Discovery and the few requests of ONVIF that it takes.

Nothing here opens a stream: that is `nvr.media.probe`. All that answers is a stranger until its owner says otherwise:
answers are limited in size, time and shape, and credentials go to nobody but the host that answered.
"""
