"""What people do on the board by its buttons, in a running Airflow: test_deeds.py does it all."""
