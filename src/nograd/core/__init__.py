"""The ground: random numbers by address, trees and their exact sums, chunks, errors, metrics, text, console."""
