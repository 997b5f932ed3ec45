"""Networks from elsewhere: read without executing anything."""
