"""Guidelines that are confirmed, the order of the queue, and comparisons kept for evaluation."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from models_runtime.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("labeling", "0022_notices")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="confirm_from",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="ordering",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="guidelineversion",
            name="must_confirm",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="prompt",
            name="priority",
            field=models.SmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="comparison",
            name="reserved",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="comparison",
            index=models.Index(
                condition=models.Q(("reserved", True)),
                fields=["campaign", "counted"],
                name="comparison_reserved",
            ),
        ),
        migrations.AddField(
            model_name="seat",
            name="confirmed",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="GuidelinesConfirmed",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "rater",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="confirmed",
                        to="labeling.guidelineversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("rater", "version"), name="guidelines_confirmed_once"
                    )
                ],
            },
        ),
        AppendOnly("guidelinesconfirmed"),
    ]
