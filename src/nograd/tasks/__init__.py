"""What turns a member into a fitness, and parameters into a score."""

from nograd.tasks.base import Task as Task
