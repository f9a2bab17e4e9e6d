from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0022_notices")]
    operations: list[object] = []
