"""A snapshot says since when it holds words of somebody who was erased."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0011_talks_wait_a_day")]
    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="holds_erased_since",
            field=models.DateTimeField(null=True),
        ),
    ]
