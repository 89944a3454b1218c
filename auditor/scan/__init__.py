"""Probing one model: what to ask (plan), asking it (execute), what the answers say (judge)."""
