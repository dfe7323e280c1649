"""Chat models behind one protocol: endpoints, models on this machine, stored answers, scripts for tests."""
