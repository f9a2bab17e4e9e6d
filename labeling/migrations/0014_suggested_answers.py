"""Cards may carry an answer to be reviewed, and a campaign says who suggested it or does not."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0013_tagged_batches")]
    operations = [
        migrations.AddField(
            model_name="campaign",
            name="names_suggesters",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="comparison",
            name="suggestion",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="comparison",
            name="suggestion_sha256",
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddIndex(
            model_name="comparison",
            index=models.Index(
                condition=models.Q(("suggestion_sha256__isnull", False)),
                fields=["campaign", "suggestion_sha256"],
                name="comparison_suggested",
            ),
        ),
    ]
