"""What a campaign may cost and until when, how many labels it wants of which prompts, and a pilot
before all of it."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def _campaign(related_name, kind=models.ForeignKey, **more):
    return kind(
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        to="labeling.campaign",
        **more,
    )


def _id():
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


class Migration(migrations.Migration):
    dependencies = [("labeling", "0019_earnings")]
    operations = [
        migrations.AddField(
            model_name="comparison",
            name="withheld",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name="comparison",
            index=models.Index(
                condition=models.Q(("withheld__gt", 0)),
                fields=["campaign", "shuffle", "id"],
                name="comparison_withheld",
            ),
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("id", _id()),
                ("labels", models.PositiveIntegerField(null=True)),
                ("hours", models.DecimalField(decimal_places=2, max_digits=9, null=True)),
                ("money", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("deadline", models.DateTimeField(null=True)),
                ("zone", models.CharField(default="UTC", max_length=50)),
                (
                    "stopped_by",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("labels", "labels"),
                            ("hours", "active hours"),
                            ("money", "money"),
                            ("deadline", "deadline"),
                        ],
                        max_length=8,
                    ),
                ),
                ("stopped_at", models.DateTimeField(null=True)),
                ("campaign", _campaign("budget", models.OneToOneField)),
            ],
        ),
        migrations.CreateModel(
            name="SpendPoint",
            fields=[
                ("id", _id()),
                ("hour", models.DateTimeField()),
                ("at", models.DateTimeField()),
                ("labels", models.PositiveIntegerField()),
                ("active_ms", models.PositiveBigIntegerField()),
                ("money", models.DecimalField(decimal_places=4, max_digits=14, null=True)),
                ("campaign", _campaign("spend_points", db_index=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "hour"), name="spend_point_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("id", _id()),
                (
                    "kind",
                    models.CharField(
                        choices=[("category", "category"), ("language", "language")],
                        max_length=8,
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("amount", models.PositiveIntegerField(null=True)),
                (
                    "unit",
                    models.CharField(
                        choices=[("labels", "labels"), ("percent", "% of the target")],
                        default="labels",
                        max_length=7,
                    ),
                ),
                ("collected", models.PositiveIntegerField(default=0)),
                ("filled", models.BooleanField(default=False)),
                ("counted_at", models.DateTimeField(null=True)),
                ("campaign", _campaign("quotas", db_index=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "kind", "name"), name="quota_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Pilot",
            fields=[
                ("id", _id()),
                ("number", models.PositiveIntegerField()),
                ("size", models.PositiveIntegerField()),
                ("overlap", models.PositiveSmallIntegerField()),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[("widened", "widened to all"), ("revised", "revised")],
                        max_length=8,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("began_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "began_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("campaign", _campaign("pilots", db_index=False)),
                (
                    "question",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="labeling.questionversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "number"), name="pilot_number_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("decision", "")),
                        fields=("campaign",),
                        name="pilot_one_in_force",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PilotItem",
            fields=[
                ("id", _id()),
                (
                    "comparison",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="labeling.comparison",
                    ),
                ),
                (
                    "pilot",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="labeling.pilot",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("pilot", "comparison"), name="pilot_item_once"
                    )
                ],
            },
        ),
    ]
