"""An RTSP 1.0 server on asyncio for coded loops: no PyAV, no pictures, only packets and their time."""
