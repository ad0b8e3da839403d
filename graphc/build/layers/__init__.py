"""Layers and losses: functions from nodes to nodes, with parameters of their own."""
