"""What raters are checked by: items with a known answer, and their own earlier cards again."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0015_time_and_pay")]
    operations = [
        migrations.AddField(
            model_name="comparison",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("work", "work"),
                    ("gold", "gold"),
                    ("training", "training"),
                    ("qualification", "qualification"),
                ],
                default="work",
                max_length=14,
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="gold_feedback",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="campaign",
            name="gold_share",
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="pass_mark",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="repeat_after",
            field=models.PositiveSmallIntegerField(default=20),
        ),
        migrations.AddField(
            model_name="campaign",
            name="repeat_share",
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="trains_raters",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="seat",
            name="attempt",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="seat",
            name="stage",
            field=models.CharField(
                blank=True,
                db_default="",
                choices=[
                    ("", "in training"),
                    ("qualification", "in the test"),
                    ("work", "at work"),
                    ("failed", "not passed"),
                ],
                max_length=14,
            ),
        ),
        migrations.CreateModel(
            name="Gold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("gold", "gold"),
                            ("training", "training"),
                            ("qualification", "qualification"),
                        ],
                        max_length=14,
                    ),
                ),
                ("place", models.PositiveIntegerField(default=0)),
                ("expected", models.JSONField()),
                ("rules", models.JSONField()),
                ("trains_on", models.CharField(default="chosen", max_length=10)),
                ("explanation", models.TextField(blank=True)),
                ("source_sha256", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("retired_at", models.DateTimeField(null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="golds",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "comparison",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gold",
                        to="labeling.comparison",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="labeling.comparison",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GoldResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("occasion", models.PositiveSmallIntegerField(default=0)),
                ("right", models.BooleanField(null=True)),
                ("distance", models.FloatField(null=True)),
                ("shows", models.BooleanField(default=False)),
                ("told_at", models.DateTimeField(null=True)),
                ("void_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "gold",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="results",
                        to="labeling.gold",
                    ),
                ),
                (
                    "label",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="result",
                        to="labeling.label",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Contest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("upheld", "upheld"), ("rejected", "rejected")],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("told_at", models.DateTimeField(null=True)),
                ("erased_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contests",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contests",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "result",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="contest",
                        to="labeling.goldresult",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Qualification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("attempt", models.PositiveSmallIntegerField(default=0)),
                ("right", models.PositiveIntegerField()),
                ("asked", models.PositiveIntegerField()),
                ("pass_mark", models.PositiveSmallIntegerField()),
                ("passed", models.BooleanField()),
                ("told_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="qualifications",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="qualifications",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="gold",
            index=models.Index(fields=["campaign", "purpose", "place", "id"], name="gold_order"),
        ),
        migrations.AddConstraint(
            model_name="gold",
            constraint=models.UniqueConstraint(
                condition=models.Q(("source_sha256", ""), _negated=True),
                fields=("campaign", "source_sha256"),
                name="gold_imported_once",
            ),
        ),
        migrations.AddIndex(
            model_name="goldresult",
            index=models.Index(fields=["rater", "gold"], name="gold_result_of_rater"),
        ),
        migrations.AddIndex(
            model_name="goldresult",
            index=models.Index(
                condition=models.Q(("shows", True), ("told_at__isnull", True)),
                fields=["rater"],
                name="gold_result_untold",
            ),
        ),
        migrations.AddIndex(
            model_name="contest",
            index=models.Index(fields=["campaign", "state", "id"], name="contest_by_state"),
        ),
        migrations.AddConstraint(
            model_name="qualification",
            constraint=models.UniqueConstraint(
                fields=("rater", "campaign", "attempt"), name="qualification_once"
            ),
        ),
    ]
