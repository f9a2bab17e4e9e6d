"""More labels where raters disagree, up to a most; and what is known of each rater for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0020_builder")]
    operations = [
        migrations.AddField(
            model_name="campaign",
            name="more_rule",
            field=models.CharField(
                blank=True,
                choices=[
                    ("majority", "while a further label could change the majority"),
                    (
                        "belief",
                        "until an outcome is believed enough, each rater weighed by their accuracy",
                    ),
                ],
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="most_labels",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="sure_enough",
            field=models.FloatField(default=0.8),
        ),
        migrations.AddField(
            model_name="comparison",
            name="spared",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name="comparison",
            index=models.Index(
                condition=models.Q(("spared__gt", 0), ("state", "complete")),
                fields=["campaign", "spared"],
                name="comparison_spared",
            ),
        ),
        migrations.AddField(
            model_name="seat",
            name="accuracy",
            field=models.FloatField(null=True),
        ),
    ]
