"""How many raters' labels become one in a campaign's snapshots."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0023_order")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="aggregation",
            field=models.CharField(blank=True, max_length=16),
        ),
    ]
