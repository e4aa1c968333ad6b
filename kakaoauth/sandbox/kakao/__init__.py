"""Kakao: what kauth and kapi answer."""
