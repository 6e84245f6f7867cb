"""Figures for operators: over HTTP for Prometheus, over MQTT for programs; and what they cost in CPU and memory.

Home of prometheus_client and psutil. Whoever has figures hands them over as plain values (`figures`); what a processor
has is gathered in `nvr.control.metrics`.
"""
