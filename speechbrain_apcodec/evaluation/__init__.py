"""Objective quality: metrics, classical peers, reports."""
