"""Sums over labels for the pages, and where hidden repeats are."""

import datetime

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0025_tokens"),
    ]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            (
                                "said",
                                "what was said: by iteration, rater, source, strength and side",
                            ),
                            ("hour", "when: by iteration, source and hour"),
                            ("paid", "what is paid: by rater, rate and day"),
                            (
                                "asked",
                                "answers by version of the question, those taken back included",
                            ),
                            ("told", "the same by version of the guidelines"),
                        ],
                        max_length=5,
                    ),
                ),
                ("iteration", models.BigIntegerField(default=0)),
                ("rater", models.BigIntegerField(default=0)),
                ("source", models.CharField(default="", max_length=12)),
                ("about", models.BigIntegerField(default=0)),
                (
                    "at",
                    models.DateTimeField(
                        default=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.UTC)
                    ),
                ),
                ("strength", models.CharField(default="", max_length=30)),
                ("left", models.SmallIntegerField(default=-1)),
                ("excluded", models.BooleanField(default=False)),
                ("n", models.IntegerField(default=0)),
                ("active_ms", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="TallyCursor",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.BigIntegerField(default=0)),
                ("zone", models.CharField(max_length=50)),
            ],
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("occasion__gt", 0)),
                fields=["campaign"],
                name="assignment_again",
            ),
        ),
        migrations.AddField(
            model_name="tally",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="labeling.campaign",
            ),
        ),
        migrations.AddConstraint(
            model_name="tally",
            constraint=models.UniqueConstraint(
                fields=(
                    "campaign",
                    "kind",
                    "iteration",
                    "rater",
                    "at",
                    "source",
                    "about",
                    "strength",
                    "left",
                    "excluded",
                ),
                name="tally_once",
            ),
        ),
    ]
