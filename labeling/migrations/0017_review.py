"""What leads decide about labels: disputed, decided, excluded, sent back, redacted."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from models_runtime.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("labeling", "0016_checks")]
    operations = [
        migrations.CreateModel(
            name="Adjudication",
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
                            ("answer", "decided by the lead's own answer"),
                            ("accept", "accepted as it is"),
                            ("discard", "discarded"),
                            ("more", "more labels wanted"),
                            ("undone", "decision taken back"),
                        ],
                        max_length=10,
                    ),
                ),
                ("more", models.PositiveSmallIntegerField(default=0)),
                ("flags", models.JSONField(default=list)),
                ("text", models.TextField(blank=True)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("weight", models.FloatField(default=0)),
                ("disagree", models.BooleanField(default=False)),
                ("ranking", models.BooleanField(default=False)),
                ("gold", models.BooleanField(default=False)),
                ("flagged", models.BooleanField(default=False)),
                ("personal", models.BooleanField(default=False)),
                ("is_open", models.BooleanField(default=True)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="DisputeCursor",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Exclusion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_at", models.DateTimeField()),
                ("until", models.DateTimeField()),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("quality", "answers of poor quality"),
                            ("speed", "too fast to have read"),
                            ("guidelines", "the guidelines were misunderstood"),
                            ("dishonest", "not the rater's own work"),
                            ("other", "another reason"),
                        ],
                        max_length=12,
                    ),
                ),
                ("text", models.TextField(blank=True)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("applying", "applying"),
                            ("applied", "applied"),
                            ("lifting", "lifting"),
                            ("lifted", "lifted"),
                        ],
                        default="applying",
                        max_length=10,
                    ),
                ),
                ("cursor", models.BigIntegerField(default=0)),
                ("labels", models.PositiveIntegerField(default=0)),
                ("uncounted", models.PositiveIntegerField(default=0)),
                ("unplaced", models.PositiveIntegerField(default=0)),
                ("lifted_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Redaction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sha256_before", models.CharField(max_length=64)),
                ("quoted", models.JSONField(default=list)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("searched_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SendBack",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.TextField(blank=True)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("taken_back_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SetAside",
            fields=[
                (
                    "label",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="set_aside",
                        serialize=False,
                        to="labeling.label",
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="comparison",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "open"),
                    ("complete", "complete"),
                    ("withdrawn", "withdrawn"),
                    ("discarded", "discarded"),
                ],
                default="open",
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            model_name="label",
            index=models.Index(
                condition=models.Q(("late", True)), fields=["comparison"], name="label_late"
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.campaign",
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="comparison",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="adjudications",
                to="labeling.comparison",
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="label",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="adjudication",
                to="labeling.label",
            ),
        ),
        migrations.AddField(
            model_name="adjudication",
            name="undoes",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="undone_by",
                to="labeling.adjudication",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.campaign",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="comparison",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="dispute",
                to="labeling.comparison",
            ),
        ),
        migrations.AddField(
            model_name="exclusion",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="exclusion",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="exclusions",
                to="labeling.campaign",
            ),
        ),
        migrations.AddField(
            model_name="exclusion",
            name="lifted_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="exclusion",
            name="rater",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="exclusions",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="redaction",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="redaction",
            name="comparison",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redactions",
                to="labeling.comparison",
            ),
        ),
        migrations.AddField(
            model_name="redaction",
            name="completion",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.completion",
            ),
        ),
        migrations.AddField(
            model_name="redaction",
            name="prompt",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.prompt",
            ),
        ),
        migrations.AddField(
            model_name="sendback",
            name="assignment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sent_back",
                to="labeling.assignment",
            ),
        ),
        migrations.AddField(
            model_name="sendback",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="sendback",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.campaign",
            ),
        ),
        migrations.AddField(
            model_name="sendback",
            name="label",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="sent_back",
                to="labeling.label",
            ),
        ),
        migrations.AddField(
            model_name="sendback",
            name="rater",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="setaside",
            name="exclusion",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="set_aside",
                to="labeling.exclusion",
            ),
        ),
        migrations.AddIndex(
            model_name="adjudication",
            index=models.Index(fields=["campaign", "-id"], name="adjudication_newest"),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("is_open", True)),
                fields=["campaign", "-weight", "id"],
                name="dispute_queue",
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("disagree", True), ("is_open", True)),
                fields=["campaign", "-weight", "id"],
                name="dispute_disagree",
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("is_open", True), ("ranking", True)),
                fields=["campaign", "-weight", "id"],
                name="dispute_ranking",
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("gold", True), ("is_open", True)),
                fields=["campaign", "-weight", "id"],
                name="dispute_gold",
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("flagged", True), ("is_open", True)),
                fields=["campaign", "-weight", "id"],
                name="dispute_flagged",
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("is_open", True), ("personal", True)),
                fields=["campaign", "-weight", "id"],
                name="dispute_personal",
            ),
        ),
        migrations.AddIndex(
            model_name="exclusion",
            index=models.Index(
                condition=models.Q(("state__in", ("applying", "lifting"))),
                fields=["id"],
                name="exclusion_under_way",
            ),
        ),
        migrations.AddConstraint(
            model_name="exclusion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("applying", "lifting"))),
                fields=("campaign", "rater"),
                name="exclusion_one_at_a_time",
            ),
        ),
        migrations.AddIndex(
            model_name="redaction",
            index=models.Index(
                condition=models.Q(("searched_at__isnull", True)),
                fields=["id"],
                name="redaction_to_search",
            ),
        ),
        migrations.AddIndex(
            model_name="sendback",
            index=models.Index(fields=["rater", "campaign", "-id"], name="sent_back_to"),
        ),
        migrations.AddIndex(
            model_name="setaside",
            index=models.Index(fields=["exclusion", "label"], name="set_aside_by"),
        ),
        AppendOnly("label"),
    ]
