from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0024_quality")]
    operations: list[object] = []
