"""An MQTT broker in pure Python, as a process of its own: `python -m nvr.bus.embedded_broker --port N`.

It has its own interpreter lock, so that a busy processor does not slow it down, nor it the processor. Good for a
dozen cameras; what amqtt 0.12 does differently from a real broker: it delivers with the subscriber's QoS even what
was published with a lower one, gives a new subscriber a retained message twice, and keeps no persistent sessions.
"""

import argparse
import asyncio
import logging
import signal
import sys

STOP_TIMEOUT_S = 0.5


async def serve(host: str, port: int) -> None:
    """Serve anonymous clients on one address until SIGTERM or SIGINT.

    Raises:
        amqtt.errors.BrokerError: The port cannot be bound.
    """
    # An optional dependency, found missing when it is needed; it comes without type information.
    from amqtt.broker import Broker  # type: ignore[import-untyped]

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await stop.wait()
    # A client that does not read its last bytes must not hold the end up; nothing here needs saving.
    await asyncio.wait({asyncio.create_task(broker.shutdown(), name="broker-shutdown")}, timeout=STOP_TIMEOUT_S)


def main() -> None:
    """Serve, silently: amqtt logs a traceback for each client that vanishes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    from amqtt.errors import BrokerError  # type: ignore[import-untyped]

    try:
        asyncio.run(serve(arguments.host, arguments.port))
    except BrokerError as error:
        sys.exit(f"embedded broker: {error}")


if __name__ == "__main__":
    main()
